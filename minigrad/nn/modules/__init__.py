"""Module and Parameter, containers, and the layers: each calls its function of nn.functional."""
