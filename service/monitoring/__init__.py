"""What monitoring sees of the service: drift of the input and output, gauges, dashboard, alerts."""
