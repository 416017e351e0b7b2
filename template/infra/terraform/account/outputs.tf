output "state_bucket" {
  description = "Where the environments' states lie."
  value       = module.state.bucket
}

output "key_arn" {
  description = "The key of states and images."
  value       = module.key.arn
}

output "image_repository" {
  description = "Where images are pushed to, without a tag: IMAGE_REPOSITORY of the GitHub repository."
  value       = module.registry.url
}

output "image_repository_arn" {
  description = "The repository: a variable of the environments."
  value       = module.registry.arn
}

output "build_role_arn" {
  description = "The role of the workflow that pushes images: BUILD_ROLE of the GitHub environment build."
  value       = aws_iam_role.build.arn
}

output "github_provider_arn" {
  description = "GitHub's OIDC provider: a variable of the environments."
  value       = aws_iam_openid_connect_provider.github.arn
}

output "name_servers" {
  description = "What the registrar of each domain must name."
  value       = { for name, zone in aws_route53_zone.this : name => zone.name_servers }
}
