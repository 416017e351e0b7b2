# terraform init -backend-config=bucket=<state_bucket of account/> -backend-config=key=prod ...
# See docs/terraform.md. The lock is a file beside the state; no table is needed.
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
