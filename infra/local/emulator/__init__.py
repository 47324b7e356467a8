"""The local cloud's own process: ministack with repairs, a stand-in for CodeDeploy, and faults on purpose."""
