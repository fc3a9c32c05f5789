"""Contracts: what tables and records must look like where parts of the system, or companies, meet."""
