# On this disk while the bucket is made; `make tf-bootstrap` then puts the state into the bucket itself.
terraform {
  backend "local" {}
}
