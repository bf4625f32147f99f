provider "azurerm" {
  subscription_id = var.subscription_id

  # The account has no shared keys, so the provider must use Entra ID on its data plane too.
  storage_use_azuread = true

  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }

    resource_group {
      prevent_deletion_if_contains_resources = true
    }

    # Queue, table and static website endpoints are private and unused: the provider must not try to reach them.
    storage {
      data_plane_available = false
    }
  }
}
