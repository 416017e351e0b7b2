# Small, and cheap to throw away. name, region, domain, zone, mail_from, repository,
# github_provider_arn and image_repository_arn are yours: put them into project.auto.tfvars.
environment         = "dev"
vpc_cidr            = "10.20.0.0/16"
zones               = 2
nat_for_each_zone   = false
flow_log_traffic    = "REJECT"
nodes               = { instance_type = "t3.large", min = 2, max = 3 }
database            = { instance_class = "db.t4g.small", multi_az = false, storage_gib = 20, max_storage_gib = 50, alarm_connections = 150 }
cache               = { node_type = "cache.t4g.micro", replicas = 0 }
backup_days         = 3
deletion_protection = false
log_days            = 30
