variable "name" {
  description = "The repository's name."
  type        = string
}

variable "key_arn" {
  description = "The key that images are encrypted with."
  type        = string
}

variable "keep_images" {
  description = "How many images are kept. Signatures and SBOMs count, too."
  type        = number
}

variable "reader_accounts" {
  description = "Ids of other AWS accounts that run the images."
  type        = set(string)
}
