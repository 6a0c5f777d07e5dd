"""Active carriers (主动标识载体): carrier profile, reference agent and secure access platform."""
