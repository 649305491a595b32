# The owner's values; none is secret. What is not set here can come from the environment, as TF_VAR_<name>.
region             = "eu-central-1"
monthly_budget_usd = 200

# Who is told about spending and failed steps; at least one address.
# alert_emails = ["you@example.org"]

# The networks of the Postgres sources (reached by a peering or a VPN that is made outside), for instance
# source_networks = { shop = { cidr = "10.8.0.0/24" } }
# reserved_cidrs  = ["10.8.0.0/16"]
