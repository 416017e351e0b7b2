# Three zones, nothing that stands alone.
environment         = "prod"
vpc_cidr            = "10.40.0.0/16"
zones               = 3
nat_for_each_zone   = true
interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"]
nodes               = { instance_type = "m7i.large", min = 3, max = 12 }
database            = { instance_class = "db.m7g.large", multi_az = true, storage_gib = 100, max_storage_gib = 1000, alarm_connections = 600 }
cache               = { node_type = "cache.m7g.large", replicas = 1 }
backup_days         = 30
deletion_protection = true
log_days            = 365
