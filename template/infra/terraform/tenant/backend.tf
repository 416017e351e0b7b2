# terraform init -backend-config=bucket=<state_bucket of account/> -backend-config=key=tenant/<environment>/<id> ...
# A state for each tenant: what is done to one can't touch another.
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
