provider "aws" {
  region = var.region

  # What belongs to one tenant is made in its own account, where it has one.
  dynamic "assume_role" {
    for_each = local.in_account ? [var.account_id] : []

    content {
      role_arn = "arn:aws:iam::${assume_role.value}:role/OrganizationAccountAccessRole"
    }
  }

  default_tags {
    tags = local.tags
  }
}
