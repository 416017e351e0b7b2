# 500 tenants: prod.tfvars as it is.
