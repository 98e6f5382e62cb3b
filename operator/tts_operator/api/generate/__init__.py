"""What is generated from the types of the API: the CRD and its reference. And the check of the CRD."""
