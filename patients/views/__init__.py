"""The pages of patients and visits."""
