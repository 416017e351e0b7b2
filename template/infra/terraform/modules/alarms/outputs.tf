output "topic_arn" {
  description = "Where alarms are told; more subscribers may be added."
  value       = aws_sns_topic.this.arn
}
