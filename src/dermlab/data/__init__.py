"""The contract: params, tables and their schemas, classes, questionnaire, shards, embeddings. Imports no other room."""
