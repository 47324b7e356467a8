"""Pay as it is deployed on AWS, for the commands that operate it: `make redrive AWS=1 STATE_BUCKET=…`.

They are the same commands as for the local cloud. Names come from Terraform's outputs; whoever calls them needs
credentials of their own, which must be allowed what a command does.
"""

import os

import boto3

from system import terraform
from system.cloud import LOCAL, CloudError

NAME = "aws"


class Aws:
    """Where a local cloud has a process and a port, AWS has a region."""

    name = NAME
    folder = LOCAL / NAME
    log = "CloudWatch Logs"

    def __init__(self, region):
        self.region = region

    def is_running(self):
        return True

    def client(self, service):
        return boto3.client(service, region_name=self.region)


def outputs():
    """Of the state that STATE_BUCKET=, REGION= and NAME= lead to, as for `make deploy`."""
    bucket, region, name = (os.environ.get(variable) for variable in ("STATE_BUCKET", "REGION", "NAME"))
    if not bucket:
        raise CloudError("AWS=1 also needs STATE_BUCKET=, the S3 bucket that keeps Terraform's state")
    target = terraform.Stack.aws(bucket, region or "us-east-1", name or "pay")
    target.init()
    return target.outputs()
