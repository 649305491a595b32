# The cluster for pipelines that run every few minutes. It ends itself when idle; the next apply starts a new one.

resource "aws_emr_cluster" "shared" {
  count = var.shared_cluster == null ? 0 : 1

  name                   = "${var.prefix}-shared"
  release_label          = var.release_label
  applications           = local.applications
  service_role           = aws_iam_role.service.name
  security_configuration = aws_emr_security_configuration.this.name
  step_concurrency_level = var.shared_cluster.concurrent_steps
  log_uri                = local.log_uri
  tags                   = local.own_tags

  configurations_json = jsonencode([
    for entry in local.configurations : { Classification = entry.classification, Properties = entry.properties }
  ])

  ec2_attributes {
    instance_profile                  = aws_iam_instance_profile.node.name
    subnet_id                         = var.network.private_subnet_ids[0]
    emr_managed_master_security_group = aws_security_group.this["primary"].id
    emr_managed_slave_security_group  = aws_security_group.this["core"].id
    service_access_security_group     = aws_security_group.this["service"].id
  }

  master_instance_group {
    instance_type = var.instances.primary_type
  }

  core_instance_group {
    instance_type  = var.instances.core_type
    instance_count = var.instances.core_count
  }

  auto_termination_policy {
    idle_timeout = var.shared_cluster.idle_minutes * 60
  }

  depends_on = [ # a cluster that starts before its roles may do anything ends with an error
    aws_iam_role_policy.service,
    aws_iam_role_policy.node,
    aws_vpc_security_group_ingress_rule.nodes,
    aws_vpc_security_group_ingress_rule.service,
    aws_vpc_security_group_egress_rule.nodes,
    aws_vpc_security_group_egress_rule.service,
    aws_vpc_security_group_egress_rule.endpoints,
    aws_vpc_security_group_egress_rule.s3,
    aws_vpc_security_group_egress_rule.s3_packages,
  ]
}

resource "aws_emr_instance_group" "task" {
  count = var.shared_cluster == null ? 0 : 1

  name           = "task"
  cluster_id     = aws_emr_cluster.shared[0].id
  instance_type  = var.instances.task_type
  instance_count = 0
  bid_price      = tostring(var.shared_cluster.task_max_hourly_usd) # that a price is given makes it a Spot group

  lifecycle {
    ignore_changes = [instance_count] # managed scaling decides
  }
}

resource "aws_emr_managed_scaling_policy" "shared" {
  count = var.shared_cluster == null ? 0 : 1

  cluster_id = aws_emr_cluster.shared[0].id

  compute_limits {
    unit_type                       = "Instances"
    minimum_capacity_units          = var.instances.core_count
    maximum_capacity_units          = var.shared_cluster.max_instances
    maximum_core_capacity_units     = var.instances.core_count # the core nodes stay as they are; what is added is Spot
    maximum_ondemand_capacity_units = var.instances.core_count
  }
}
