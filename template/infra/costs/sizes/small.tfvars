# 20 tenants: as prod.tfvars, with the machines of staging and one NAT gateway.
nat_for_each_zone   = false
interface_endpoints = []
nodes               = { instance_type = "t3.large", min = 3, max = 4 }
database            = { instance_class = "db.t4g.medium", multi_az = true, storage_gib = 20, max_storage_gib = 100 }
cache               = { node_type = "cache.t4g.small", replicas = 1 }
