# The first run keeps its state here, as the bucket isn't there yet. Then uncomment this, and move
# it in: see docs/terraform.md.
#
# terraform {
#   backend "s3" {
#     key          = "account"
#     encrypt      = true
#     use_lockfile = true
#   }
# }
