# The smallest complete call: one subnet, everything else at its secure default.

provider "azurerm" {
  # The account has no shared keys, so the provider must use Entra ID on its data plane too.
  storage_use_azuread = true

  features {
    # Queue, table and static website endpoints are private and unused: the provider must not try to reach them.
    storage {
      data_plane_available = false
    }
  }
}

resource "azurerm_resource_group" "example" {
  name     = "rg-basic-example"
  location = var.location
}

module "storage" {
  source = "../.."

  name                = "basic-example"
  resource_group_name = azurerm_resource_group.example.name
  location            = azurerm_resource_group.example.location
  data_classification = "sensitive"

  names = {
    storage_account  = "stbasicexample${var.unique_suffix}"
    container        = "data"
    key_vault        = "kv-basic-${var.unique_suffix}"
    key              = "storage"
    identity         = "id-basic-example"
    log_workspace    = "log-basic-example"
    private_endpoint = "pe-basic-example"
  }

  network = {
    subnet_id = var.subnet_id
  }

  tags = {
    owner = "platform-team"
  }
}
