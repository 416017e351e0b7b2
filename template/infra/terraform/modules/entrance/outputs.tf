output "load_balancer" {
  description = "The load balancer, as CloudWatch calls it."
  value       = aws_lb.this.arn_suffix
}

output "target_group" {
  description = "The gateway, as CloudWatch calls it."
  value       = aws_lb_target_group.gateway.arn_suffix
}

output "dns_name" {
  description = "The load balancer's own address."
  value       = aws_lb.this.dns_name
}
