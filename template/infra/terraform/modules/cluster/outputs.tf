output "name" {
  description = "The cluster's name."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Where its API answers."
  value       = aws_eks_cluster.this.endpoint
}

output "arn" {
  description = "The cluster."
  value       = aws_eks_cluster.this.arn
}

output "security_group_id" {
  description = "The group of all its nodes."
  value       = aws_security_group.nodes.id
}

output "identity_provider" {
  description = "Who vouches for its service accounts."
  value       = local.provider
}

output "autoscaling_group" {
  description = "The group that its nodes are in."
  value       = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name
}

output "roles" {
  description = "Roles of what runs beside the product, by service account."
  value = {
    "aws-for-fluent-bit" = module.log_role.arn
    "cluster-autoscaler" = module.autoscaler_role.arn
  }
}

output "log_group" {
  description = "Where the pods' lines go."
  value       = aws_cloudwatch_log_group.application.name
}
