"""What a transaction can be asked and told, noun by noun: `ports.Transaction` holds one of each."""
