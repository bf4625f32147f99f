terraform {
  # 1.9 is the first release in which a validation block may refer to other variables.
  required_version = ">= 1.9.0, < 2.0.0"

  required_providers {
    oci = {
      source  = "oracle/oci"
      version = "~> 7.19"

      # `oci.replica` reaches the region of the copy; `oci.home` the tenancy's home region, which alone accepts IAM changes.
      configuration_aliases = [oci, oci.replica, oci.home]
    }
  }
}
