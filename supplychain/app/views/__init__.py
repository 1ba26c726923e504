"""What is shown: tables arranged into the parts of the page, written by templates that escape every word."""
