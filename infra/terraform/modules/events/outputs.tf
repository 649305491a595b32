output "stream" {
  description = "Where a producer sends events."
  value       = { name = aws_kinesis_stream.events.name, arn = aws_kinesis_stream.events.arn }
}

output "producer_policy_arn" {
  description = "Policy of a producer: to be attached to its role."
  value       = aws_iam_policy.producer.arn
}
