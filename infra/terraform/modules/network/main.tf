# The VPC with its private subnets, or the existing one. There is no way in or out but the endpoints: no internet gateway, no NAT.

locals {
  is_new = var.vpc.existing == null
  zones  = local.is_new ? slice(data.aws_availability_zones.offered[0].names, 0, var.vpc.zones) : []

  vpc_id             = local.is_new ? aws_vpc.this[0].id : data.aws_vpc.existing[0].id
  private_subnet_ids = local.is_new ? [for zone in local.zones : aws_subnet.private[zone].id] : var.vpc.existing.private_subnet_ids
  route_table_ids    = local.is_new ? [aws_route_table.private[0].id] : var.vpc.existing.route_table_ids

  # Two networks overlap when they are the same once both are cut to the shorter of the two prefixes.
  overlapping_cidrs = [
    for reserved in var.reserved_cidrs : reserved if length(distinct([
      for cidr in [reserved, var.vpc.cidr] :
      cidrsubnet("${split("/", cidr)[0]}/${min(split("/", reserved)[1], split("/", var.vpc.cidr)[1])}", 0, 0)
    ])) == 1
  ]
}

# Not filtered by state: a zone with an outage must not move the subnets of the others.
data "aws_availability_zones" "offered" {
  count = local.is_new ? 1 : 0

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= var.vpc.zones
      error_message = "vpc.zones must be at most ${length(self.names)} in region ${self.id}; got ${var.vpc.zones}. Lower it."
    }
  }
}

resource "aws_vpc" "this" {
  count = local.is_new ? 1 : 0

  cidr_block           = var.vpc.cidr
  enable_dns_hostnames = true # the private names of the interface endpoints need it

  tags = { Name = "${var.prefix}-vpc" }

  lifecycle {
    precondition {
      condition = length(local.overlapping_cidrs) == 0
      error_message = format(
        "vpc.cidr must not overlap reserved_cidrs; got \"%s\", which overlaps %s. Choose another vpc.cidr.",
        var.vpc.cidr, join(", ", local.overlapping_cidrs),
      )
    }
  }
}

# Without a rule, so that nothing works by having been put into no security group.
resource "aws_default_security_group" "this" {
  count = local.is_new ? 1 : 0

  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "private" {
  for_each = { for index, zone in local.zones : zone => cidrsubnet(var.vpc.cidr, 3, index) }

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = each.value

  tags = { Name = "${var.prefix}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  count = local.is_new ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${var.prefix}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[0].id
}

data "aws_vpc" "existing" {
  count = local.is_new ? 0 : 1

  id = var.vpc.existing.vpc_id

  lifecycle {
    postcondition {
      condition     = self.enable_dns_support && self.enable_dns_hostnames
      error_message = <<-EOT
        vpc.existing must have DNS resolution and DNS hostnames, which endpoints need;
        got ${self.id} with ${self.enable_dns_support} and ${self.enable_dns_hostnames}. Switch them on in the VPC's settings.
      EOT
    }
  }
}

data "aws_subnet" "existing" {
  for_each = toset(local.is_new ? [] : var.vpc.existing.private_subnet_ids)

  id = each.key

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.vpc.existing.vpc_id && !self.map_public_ip_on_launch
      error_message = <<-EOT
        vpc.existing.private_subnet_ids must be private subnets of ${var.vpc.existing.vpc_id};
        got ${self.id} of ${self.vpc_id}, which gives public addresses: ${self.map_public_ip_on_launch}. Name another subnet.
      EOT
    }
  }
}
