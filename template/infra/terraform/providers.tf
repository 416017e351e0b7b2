provider "aws" {
  region = var.region

  # By these the bill is split. What belongs to one service says so instead of `shared`; no
  # resource belongs to one tenant, as all of them are pooled at this stage.
  default_tags {
    tags = local.tags
  }
}
