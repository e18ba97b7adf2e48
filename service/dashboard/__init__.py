"""The pages IT looks at: queue, job, health, metrics. Server-rendered, no outside requests."""
