"""`logektor doctor`: facts of a deployment are collected, judged by pure rules, and said with what to do."""
