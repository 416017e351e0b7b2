# 10,000 tenants: as prod.tfvars, with larger machines.
nodes    = { instance_type = "m7i.xlarge", min = 6, max = 24 }
database = { instance_class = "db.m7g.2xlarge", multi_az = true, storage_gib = 600, max_storage_gib = 3000, alarm_connections = 1500 }
cache    = { node_type = "cache.m7g.xlarge", replicas = 1 }
