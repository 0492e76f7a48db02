"""What every function shares: the contract, the registry, and the ways in and out."""
