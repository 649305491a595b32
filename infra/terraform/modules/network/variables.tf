variable "prefix" {
  description = "First part of every name, such as \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = "prefix must be 3 to 31 of a-z, 0-9 and -, a letter first; got \"${var.prefix}\". Choose one such as \"tidemark-dev\"."
  }
}

variable "vpc" {
  description = "A VPC to make (`cidr`, `zones`) or an `existing` one, in which only endpoints are made."
  type = object({
    cidr           = optional(string, "10.40.0.0/16")
    zones          = optional(number, 3) # Redshift Serverless asks for subnets in three zones.
    endpoint_zones = optional(number, 1) # Interface endpoints are paid per zone; the other zones reach them too.
    existing = optional(object({
      vpc_id             = string
      private_subnet_ids = list(string) # The first `endpoint_zones` of them hold the endpoints: in different zones.
      route_table_ids    = list(string)
    }))
  })
  nullable = false
  default  = {}

  validation {
    condition = alltrue([
      can(cidrnetmask(var.vpc.cidr)),
      try(cidrsubnet(var.vpc.cidr, 0, 0) == var.vpc.cidr, false),
      can(regex("/(1[6-9]|2[0-4])$", var.vpc.cidr)),
    ])
    error_message = "vpc.cidr must be an IPv4 network of /16 to /24, no host bits; got \"${var.vpc.cidr}\". Write \"10.40.0.0/16\"."
  }

  validation {
    condition     = contains([1, 2, 3, 4, 5, 6], var.vpc.zones)
    error_message = "vpc.zones must be a whole number from 1 to 6; got ${var.vpc.zones}. Use 3, or more if the region has them."
  }

  validation {
    condition     = contains(range(1, 1 + try(length(var.vpc.existing.private_subnet_ids), var.vpc.zones)), var.vpc.endpoint_zones)
    error_message = <<-EOT
      vpc.endpoint_zones must be from 1 to the number of private subnets; got ${var.vpc.endpoint_zones}.
      Lower it, or raise vpc.zones (with an existing VPC: name more of its private subnets).
    EOT
  }

  validation {
    condition = var.vpc.existing == null || try(alltrue([
      can(regex("^vpc-[0-9a-f]+$", var.vpc.existing.vpc_id)),
      length(var.vpc.existing.private_subnet_ids) > 0,
      length(var.vpc.existing.route_table_ids) > 0,
      alltrue([for id in var.vpc.existing.private_subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))]),
      alltrue([for id in var.vpc.existing.route_table_ids : can(regex("^rtb-[0-9a-f]+$", id))]),
    ]), false)
    error_message = <<-EOT
      vpc.existing must name a vpc-…, at least one subnet-… and at least one rtb-…; got ${try(jsonencode(var.vpc.existing), "nothing")}.
      Take the ids from the VPC's page, or leave out vpc.existing to have a VPC made.
    EOT
  }
}

variable "reserved_cidrs" {
  description = "Networks that the new VPC is or will be connected to (a peered VPC, an office): its own range must not overlap them."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition = alltrue([for cidr in var.reserved_cidrs : can(cidrnetmask(cidr))])
    error_message = format(
      "reserved_cidrs must be IPv4 networks such as \"10.0.0.0/16\"; got %s. Correct them.",
      jsonencode([for cidr in var.reserved_cidrs : cidr if !can(cidrnetmask(cidr))]),
    )
  }
}

variable "interface_endpoints" {
  description = "AWS services that the private subnets reach, each through an endpoint that is paid by the hour."
  type        = set(string)
  nullable    = false
  default = [
    "glue",           # jobs register their tables
    "kms",            # nodes fetch the keys of their disks
    "secretsmanager", # jobs read the address of their source
    "sts",            # nodes take on the role of the job they run
  ]

  validation {
    condition = alltrue([for name in var.interface_endpoints : can(regex("^[a-z0-9-]+$", name)) && name != "s3"])
    error_message = format(
      "interface_endpoints must be short service names other than \"s3\", which has its gateway; got %s. Write \"glue\", \"sts\" …",
      jsonencode(var.interface_endpoints),
    )
  }
}
