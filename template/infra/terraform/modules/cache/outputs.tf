output "identifier" {
  description = "The cache's name."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "node_ids" {
  description = "Its machines."
  value       = aws_elasticache_replication_group.this.member_clusters
}

output "host" {
  description = "Where it listens, with TLS."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}
