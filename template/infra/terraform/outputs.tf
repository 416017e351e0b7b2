output "cluster" {
  description = "The cluster: CLUSTER of the GitHub environment."
  value       = module.cluster.name
}

output "namespace" {
  description = "The Kubernetes namespace of the product."
  value       = var.namespace
}

output "region" {
  description = "The AWS region."
  value       = var.region
}

output "vpc_cidr" {
  description = "The VPC's addresses: GATEWAY_TRUSTED of the chart, as the load balancer stands there."
  value       = module.network.cidr
}

output "gateway_node_port" {
  description = "The port of every node at which the gateway has to listen."
  value       = var.gateway_node_port
}

output "settings" {
  description = "Settings of the application that are no secret, for the chart's values."
  value       = local.settings
}

output "secret_settings" {
  description = "For each service the settings that its secret must hold."
  value       = local.secret_settings
}

output "secrets" {
  description = "For each service the name of its secret in Secrets Manager."
  value       = module.secrets.names
}

output "secrets_reader_role_arn" {
  description = "The role of the service account secrets-reader, which external-secrets uses."
  value       = module.secrets.reader_role_arn
}

output "service_role_arns" {
  description = "Roles of the services whose own code asks AWS, for the annotation of their service accounts."
  value       = { for service, role in module.service_role : service => role.arn }
}

output "cluster_role_arns" {
  description = "Roles of what runs beside the product, by service account in kube-system."
  value       = module.cluster.roles
}

output "application_log_group" {
  description = "Where the pods' lines go."
  value       = module.cluster.log_group
}

output "deploy_role_arn" {
  description = "The role of the workflow that deploys: DEPLOY_ROLE of the GitHub environment."
  value       = module.deploy_role.arn
}

output "database" {
  description = "The database server, and where RDS keeps its administrator's password."
  value = {
    host                     = module.database.host
    port                     = module.database.port
    administrator_secret_arn = module.database.administrator_secret_arn
  }
}

output "cache" {
  description = "Valkey's name and host; null where it was left out."
  value = one([for cache in module.cache : {
    identifier = cache.identifier
    host       = cache.host
  }])
}

output "alarm_topic_arn" {
  description = "Where alarms are told."
  value       = module.alarms.topic_arn
}
