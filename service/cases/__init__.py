"""Cases: what assessors take on, decide and conclude. `model` is the logic, `policies` who may, `store` what stays."""
