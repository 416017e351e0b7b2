variable "name" {
  description = "What goes before every name."
  type        = string
}

variable "services" {
  description = "The services whose rows lie in the account."
  type        = set(string)
}

variable "trusted_role_arns" {
  description = "By service: the roles of the product's account that may come in, its tools' included."
  type        = map(list(string))
}

variable "external_id" {
  description = "What they must say besides: of this tenant alone, so that no other's entry leads here."
  type        = string
}

variable "secrets_key_arn" {
  description = "The key of the secrets."
  type        = string
}

variable "recovery_days" {
  description = "How long a deleted secret can be brought back; 0 deletes at once."
  type        = number
}
