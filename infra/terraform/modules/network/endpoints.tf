# How the private subnets reach AWS: S3 through a gateway, other services through interface endpoints.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.current.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = local.route_table_ids
  policy            = data.aws_iam_policy_document.s3_endpoint.json

  tags = { Name = "${var.prefix}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = slice(local.private_subnet_ids, 0, var.vpc.endpoint_zones)
  security_group_ids  = [aws_security_group.endpoints.id]

  tags = { Name = "${var.prefix}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.prefix}-endpoints"
  description = "HTTPS from the private subnets to the interface endpoints"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = merge(
    { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block },
    { for id, subnet in data.aws_subnet.existing : id => subnet.cidr_block },
  )

  security_group_id = aws_security_group.endpoints.id
  description       = "HTTPS from private subnet ${each.key}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
