variable "name" {
  description = "The bucket's name, which no other bucket in the world may have."
  type        = string
}

variable "key_arn" {
  description = "The key that states are encrypted with."
  type        = string
}
