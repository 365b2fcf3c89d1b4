"""Training LoRA adapters of the FLUX family, with diffusers and peft."""
