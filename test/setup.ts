import '#base'
