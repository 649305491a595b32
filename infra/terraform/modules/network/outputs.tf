output "vpc_id" {
  description = "The VPC, made here or existing."
  value       = local.vpc_id
}

output "private_subnet_ids" {
  description = "The private subnets, in the order of their zones (existing ones: as given)."
  value       = local.private_subnet_ids
}

output "route_table_ids" {
  description = "The route tables of the private subnets: the place for a route to a peered network."
  value       = local.route_table_ids
}

output "s3_prefix_list_id" {
  description = "The addresses of S3 behind the gateway, for egress rules."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}

output "endpoint_security_group_id" {
  description = "The security group of the interface endpoints, for egress rules."
  value       = aws_security_group.endpoints.id
}
