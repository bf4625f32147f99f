terraform {
  # 1.9 is the first release in which a validation block may refer to other variables.
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90.0, < 7.0.0"

      # The replica bucket and its key live in a second region, reached through the caller's `aws.replica`.
      configuration_aliases = [aws, aws.replica]
    }
  }
}
