"""The commands of lastmile-cloud, by what they are about."""
