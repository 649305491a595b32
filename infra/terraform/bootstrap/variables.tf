variable "region" {
  description = "Where the state bucket lies; one for all environments of the account in that region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as \"eu-central-1\"; got \"${var.region}\". Correct it."
  }
}
