output "launch" {
  description = "What starting a cluster needs (RunJobFlow). Every tag in `tags` must be on the cluster: roles are bound to them."
  value = {
    release_label          = var.release_label
    applications           = local.applications
    configurations         = local.configurations
    service_role           = aws_iam_role.service.name
    instance_profile       = aws_iam_instance_profile.node.name
    subnet_ids             = var.network.private_subnet_ids
    security_groups        = { for group, made in aws_security_group.this : group => made.id }
    security_configuration = aws_emr_security_configuration.this.name
    log_uri                = local.log_uri
    artifacts_uri          = "s3://${var.artifacts.name}/jobs/"
    instances              = var.instances
    tags                   = tomap(merge(data.aws_default_tags.current.tags, local.own_tags))
  }
}

output "job_role_arns" {
  description = "The role that a pipeline's steps run with: pipeline → ARN."
  value       = { for pipeline, role in aws_iam_role.job : pipeline => role.arn }
}

output "service_role_arn" {
  description = "The role of EMR itself, for iam:PassRole."
  value       = aws_iam_role.service.arn
}

output "instance_profile_role_arn" {
  description = "The role of the nodes, for iam:PassRole."
  value       = aws_iam_role.node.arn
}

output "cluster_tag" {
  description = "The tag, key and value, that says which clusters belong to this environment."
  value       = local.cluster_tag
}

output "shared_cluster_id" {
  description = "The shared cluster; null if there is none."
  value       = one(aws_emr_cluster.shared[*].id)
}

output "shared_cluster_arn" {
  description = "The shared cluster; null if there is none."
  value       = one(aws_emr_cluster.shared[*].arn)
}
