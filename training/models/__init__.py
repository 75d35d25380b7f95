"""Networks: experts, router (ObsMoE) and their mixture."""
