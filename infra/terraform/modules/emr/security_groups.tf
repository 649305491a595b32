# Nodes talk to each other, to EMR's endpoint, to the VPC's endpoints, to S3 and to the sources; nothing else talks to them.
# Rules stand alone, so that a rule which EMR adds to a group of ours is no drift.

locals {
  nodes = { primary = aws_security_group.this["primary"].id, core = aws_security_group.this["core"].id }

  node_pairs = {
    for pair in setproduct(keys(local.nodes), keys(local.nodes)) : "${pair[0]}-${pair[1]}" => { of = pair[0], peer = pair[1] }
  }

  # One by one as EMR wants to find them: it adds each that it misses.
  protocols = { tcp = { from = 0, to = 65535 }, udp = { from = 0, to = 65535 }, icmp = { from = -1, to = -1 } }

  node_protocols = {
    for pair in setproduct(keys(local.node_pairs), keys(local.protocols)) :
    "${pair[0]}-${pair[1]}" => merge(local.node_pairs[pair[0]], local.protocols[pair[1]], { protocol = pair[1] })
  }

  node_sources = {
    for pair in setproduct(keys(local.nodes), keys(var.source_networks)) :
    "${pair[0]}-${pair[1]}" => merge(var.source_networks[pair[1]], { of = pair[0], name = pair[1] })
  }
}

resource "aws_security_group" "this" {
  for_each = {
    primary = "Primary nodes of EMR clusters"
    core    = "Core and task nodes of EMR clusters"
    service = "The endpoint through which EMR manages its clusters"
  }

  name                   = "${var.prefix}-emr-${each.key}"
  description            = each.value
  vpc_id                 = var.network.vpc_id
  revoke_rules_on_delete = true # the groups name each other, and so cannot go while rules stand that EMR added
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each = local.node_protocols

  security_group_id            = local.nodes[each.value.of]
  description                  = "${each.value.protocol} from ${each.value.peer} nodes"
  referenced_security_group_id = local.nodes[each.value.peer]
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from
  to_port                      = each.value.to
}

resource "aws_vpc_security_group_ingress_rule" "service" {
  for_each = local.nodes

  security_group_id            = aws_security_group.this["service"].id
  description                  = "HTTPS from ${each.key} nodes"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  for_each = local.node_pairs

  security_group_id            = local.nodes[each.value.of]
  description                  = "Everything to ${each.value.peer} nodes"
  referenced_security_group_id = local.nodes[each.value.peer]
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "service" {
  for_each = local.nodes

  security_group_id            = each.value
  description                  = "HTTPS to the endpoint of EMR"
  referenced_security_group_id = aws_security_group.this["service"].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = local.nodes

  security_group_id            = each.value
  description                  = "HTTPS to the interface endpoints"
  referenced_security_group_id = var.network.endpoint_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

# EMR asks for every port to S3; S3 listens on these two.
resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.nodes

  security_group_id = each.value
  description       = "HTTPS to S3"
  prefix_list_id    = var.network.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "s3_packages" {
  for_each = local.nodes

  security_group_id = each.value
  description       = "HTTP to S3, where EMR keeps the packages of its nodes"
  prefix_list_id    = var.network.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "sources" {
  for_each = local.node_sources

  security_group_id = local.nodes[each.value.of]
  description       = "Postgres of ${each.value.name}"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}
