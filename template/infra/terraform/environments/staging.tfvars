# As production is, with smaller machines: what is tried here must hold there.
environment         = "staging"
vpc_cidr            = "10.30.0.0/16"
zones               = 3
nat_for_each_zone   = false
nodes               = { instance_type = "t3.large", min = 2, max = 4 }
database            = { instance_class = "db.t4g.medium", multi_az = true, storage_gib = 20, max_storage_gib = 100 }
cache               = { node_type = "cache.t4g.small", replicas = 1 }
backup_days         = 7
deletion_protection = true
log_days            = 90
